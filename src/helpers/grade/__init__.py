"""Grade a class's notebooks: ``python -m helpers.grade DOWNLOADS --assignment a2 --output OUT``."""
