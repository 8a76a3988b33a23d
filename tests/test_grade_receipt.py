"""``check.receipt``: a line for the student's record."""

import re

from helpers import check
from helpers.check import engine
from helpers.check.engine import Verdict


def test_receipt_says_what_is_right_and_that_it_proves_nothing(capsys, monkeypatch):
    monkeypatch.setattr(engine, "STATE", {})
    check.receipt("Ada")
    engine.STATE.update(relu=Verdict("right", "x"), dense=Verdict("wrong", "x"))
    check.receipt("Ada  Lovelace ")
    empty, line = capsys.readouterr().out.splitlines()
    assert empty.startswith("Receipt for Ada: 0 of 0 right. Mark")
    assert "Ada Lovelace: 1 of 2 right (relu ✓, dense ✗)" in line and "proves nothing" in line
    engine.STATE["dense"] = Verdict("right", "x")
    check.receipt("Ada Lovelace")
    marks = [re.search(r"Mark (\w{8})\.", text)[1] for text in (line, capsys.readouterr().out)]
    assert marks[0] != marks[1]
