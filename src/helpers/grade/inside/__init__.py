"""What runs in the sandbox, beside the student's code. Nothing here knows a right answer."""
