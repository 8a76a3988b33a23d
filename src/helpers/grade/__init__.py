"""Grade a class's notebooks: ``python -m helpers.grade DOWNLOADS --assignment a2 --output OUT``.

DOWNLOADS is what Canvas ("Download Submissions"), Moodle ("Download all submissions") or a shared
folder gives, a zip or a folder. OUT gets

index.html    for the instructor: distribution, commonest mistakes, what to look at, who is alike
results.csv   a line for each student; canvas.csv and moodle.csv to be imported
feedback/     a page for each student, with a reason for each point lost
written.csv   the written answers: put points and comments into it, run the command again
done/         what was graded; a second run grades only what is new

Each notebook is run, whole, in a sandbox that has no network and nothing of this machine's, by a
process that gets inputs and returns arrays. What is right is computed and compared outside of it.
The rooms: ``intake`` and ``notebook`` (what came), ``points`` (what is asked and what it is worth),
``sandbox`` and ``runner`` (how it is run), ``inside`` (what runs there), ``pipeline``, ``store``
(many, and twice), ``tables``, ``pages``, ``similar`` (what comes out), ``assignment`` (the
contract with ``helpers.check.assignments``). Nothing about a student leaves the machine.
"""
