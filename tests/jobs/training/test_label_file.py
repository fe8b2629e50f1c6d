"""Label files as people write them: what is wrong as a whole, what is wrong with a row, and what is not wrong."""

from __future__ import annotations

import pytest

from jobs.training.errors import TrainingDataRefused
from jobs.training.label_file import LabelRow, read_label_file
from jobs.training.listing import Refusals
from jobs.training.splits import SplitRecipe
from model.training.face_set import TEST, TRAIN, VALIDATION

HEADER = "path,age,sex,subject"


@pytest.fixture
def read(tmp_path):
    def of(text: str | bytes) -> tuple[list[LabelRow], Refusals]:
        file = tmp_path / "CANARY.csv"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        refused = Refusals()
        return read_label_file(file, refused), refused

    return of


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "lacks the columns path, age, sex, subject"),
        ("path,age,subject\na.jpg,3,s\n", "lacks the columns sex"),
        (f"{HEADER},age\na.jpg,3,F,s,4\n", "has the columns age twice"),
        (f"{HEADER},time\na.jpg,3,F,s,4\n", "one of time and event"),
        (f"{HEADER}\n", "has no rows"),
        (f"{HEADER},split\na.jpg,3,F,CANARY,train\nb.jpg,3,F,CANARY,test\n", r"more than one split \(lines 2, 3"),
        (f"{HEADER},split\na.jpg,3,F,s,train\nb.jpg,3,F,t,exam\n", r"splits other than .* \(lines 3"),
        (b"path,age,sex,subject\na\xff.jpg,3,F,s\n", "cannot be read as CSV in UTF-8"),
        (f'{HEADER}\n"a.jpg,3,F,s\n', "cannot be read as CSV in UTF-8"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_as_a_whole_is_refused(read, text, says):
    with pytest.raises(TrainingDataRefused, match=says) as refusal:
        read(text)
    assert refusal.value.exit_code == 11
    assert "CANARY" not in str(refusal.value) and "CANARY" not in refusal.value.next_step


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(TrainingDataRefused, match="cannot be read"):
        read_label_file(tmp_path / "CANARY", Refusals())


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,-1,F,s,,", "age_impossible"),
        ("a.jpg,120.5,F,s,,", "age_impossible"),
        ("a.jpg,old,F,s,,", "age_impossible"),
        ("a.jpg,nan,F,s,,", "age_impossible"),
        ("a.jpg,30,X,s,,", "sex_unknown"),
        ("a.jpg,30,1,s,,", "sex_unknown"),
        ("a.jpg,30,F,,,", "subject_missing"),
        (",30,F,s,,", "file_missing"),
        ("a.jpg,30,F,s,0,1", "followup_impossible"),
        ("a.jpg,30,F,s,-5,0", "followup_impossible"),
        ("a.jpg,30,F,s,inf,0", "followup_impossible"),
        ("a.jpg,30,F,s,100,", "followup_impossible"),
        ("a.jpg,30,F,s,,1", "followup_impossible"),
        ("a.jpg,30,F,s,100,2", "followup_impossible"),
        ("a.jpg", "subject_missing"),
    ],
)
def test_a_row_that_cannot_be_used_is_counted_with_its_line(read, row, reason):
    rows, refused = read(f"{HEADER},time,event\nfine.jpg,30,F,other,,\n{row}\n")
    assert [row.locator for row in rows] == ["fine.jpg"]
    assert refused.counts == {reason: 1} and refused.lines == {reason: [3]}
    assert refused.told() == f"{reason} 1 (lines 3)"


def test_what_may_be_written_is_read(read):
    rows, refused = read(
        f"\ufeff{HEADER},extra,time,event,split,skin_tone\r\n"
        "a/b.jpg,0,F,s 1,x,100,1,train,III\r\n"
        '"c, d.jpg", 120 ,male,t,,12.2,false,TEST,\r\n'
        "e.jpg,,,u,,,,,\r\n"
    )
    assert not refused.counts
    assert rows == [
        LabelRow(2, "a/b.jpg", "s 1", 0.0, "F", 100, True, TRAIN, "III"),
        LabelRow(3, "c, d.jpg", "t", 120.0, "M", 13, False, TEST, None),
        LabelRow(4, "e.jpg", "u", None, None, None, False, None, None),
    ]


def test_many_lines_are_told_shortly():
    refused = Refusals()
    for line in range(2, 100):
        refused.add("file_missing", line=line)
    assert refused.told(shown=3) == "file_missing 98 (lines 2, 3, 4 and 95 more)"


def test_people_are_dealt_by_the_shares_and_stay_when_others_come():
    recipe = SplitRecipe()
    places = {person: recipe.place(str(person)) for person in range(20_000)}
    shares = [sum(split == wanted for split, _ in places.values()) / 20_000 for wanted in (TRAIN, VALIDATION, TEST)]
    assert shares == pytest.approx([0.7, 0.15, 0.15], abs=0.01)
    for split in (TRAIN, VALIDATION, TEST):  # folds are dealt independently of splits
        of_split = [fold for where, fold in places.values() if where == split]
        assert [of_split.count(fold) / len(of_split) for fold in range(5)] == pytest.approx([0.2] * 5, abs=0.03)
    assert {person: SplitRecipe().place(str(person)) for person in range(100)} == {
        person: places[person] for person in range(100)
    }
    other = SplitRecipe(seed=2)
    assert sum(other.place(str(person)) == places[person] for person in range(1000)) < 300
    assert recipe.number("a name") != other.number("a name") and recipe.number("a name") >= 0


@pytest.mark.parametrize("wrong", [{"test_share": -0.1}, {"test_share": 0.5, "validation_share": 0.5}, {"folds": 1}])
def test_recipes_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError):
        SplitRecipe(**wrong)
