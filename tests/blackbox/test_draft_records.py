"""Records of what authors do with drafts (identity §8): each change has one, a trial run before it begins, none holds text."""

from __future__ import annotations

import hashlib
import itertools
import json
import textwrap

import pytest

from support.database import stored, unrecorded
from support.management import Management
from support.resources import Resources
from support.wire import Answer

_numbers = itertools.count(1)


def resources() -> Resources:
    return Resources().scripts("shop", stock="NUMBER = 1\n")


@pytest.fixture(scope="module")
def admin(server) -> Management:
    return Management.set_up(server)


@pytest.fixture
def script(admin) -> str:
    """The id of a script that does not exist yet, in a set of this test alone."""
    set_id = f"set{next(_numbers)}"
    admin.create("/script-sets", id=set_id, title="Records")
    return f"{set_id}__main"


def sha256(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8")).hexdigest()


def save(admin: Management, script: str, source: str, seen: str = "*") -> Answer:
    return admin.put(f"/scripts/{script}/draft", {"source": source}, If_Match=seen)


def run(admin: Management, script: str, function: str, **kwargs) -> Answer:
    return admin.post(f"/scripts/{script}/draft/run", {"func": function, "kwargs": kwargs})


def draft_records(admin: Management, script: str) -> list[dict]:
    """The newest first."""
    return [one for one in admin.data(f"/audit?event=script.&object={script}") if one["event"].startswith("script.draft_")]


def test_changes_of_drafts_are_recorded_without_their_text(admin, script):
    """identity §8: each change has its record, by whom and of which text."""
    texts = ["WORD = 'first-text-of-the-author'\n", "WORD = 'second-text-of-the-author'  # longer\n"]
    answers = [save(admin, script, text).expect(200) for text in texts]
    save(admin, script, "C = 3\n", answers[0].header("ETag")).refused("412.51")
    answers.append(admin.delete(f"/scripts/{script}/draft", if_match=answers[1].header("ETag")).expect(204))
    records = draft_records(admin, script)[::-1]
    first, second = ({"sha256": sha256(text), "bytes": len(text)} for text in texts)
    assert [(one["event"], one["outcome"], one["actor"]["login"], one["object"]["kind"]) for one in records] == [
        ("script.draft_saved", "OK", "root", "Script"), ("script.draft_saved", "OK", "root", "Script"), ("script.draft_removed", "OK", "root", "Script")]
    changes = [{change["field"]: (change.get("old"), change.get("new")) for change in one["changes"]} for one in records]
    assert changes == [{name: (None, first[name]) for name in first}, {name: (first[name], second[name]) for name in first},
                       {name: (second[name], None) for name in first}]
    assert [one["traceId"] for one in records[:2]] == [answer.json["traceId"] for answer in answers[:2]]
    assert "text-of-the-author" not in json.dumps(records)


def test_a_draft_that_is_published_is_recorded_as_gone(admin, script):
    save(admin, script, "A = 1\n").expect(200)
    admin.post(f"/scripts/{script}/publish").expect(200)
    assert [one["event"] for one in draft_records(admin, script)] == ["script.draft_removed", "script.draft_saved"]


def test_a_draft_whose_record_cannot_be_written_stays_as_it_is(server, admin, script):
    with unrecorded(server.data, "script.draft_saved"):
        assert save(admin, script, "A = 1\n").status == 500
        admin.get(f"/scripts/{script}/draft").refused("404.41")
    save(admin, script, "A = 1\n").expect(200)
    with unrecorded(server.data, "script.draft_removed"):
        assert admin.delete(f"/scripts/{script}/draft", if_match="*").status == 500
        assert admin.data(f"/scripts/{script}/draft")["source"] == "A = 1\n"
    assert [one["event"] for one in draft_records(admin, script) if one["outcome"] == "OK"] == ["script.draft_saved"]


STORING = textwrap.dedent('''
    DFF_MODULE = 'loaded'
    @DFF.API('Leave a trace')
    def leave(key: str):
        DFF.STORE.set(key, True)
''')


def test_a_trial_run_is_recorded(admin, script):
    save(admin, script, STORING).expect(200)
    answer = run(admin, script, "leave", key="argument-of-the-author").expect(200)
    record = draft_records(admin, script)[0]
    assert (record["event"], record["outcome"], record["actor"]["login"], record["object"]["id"]) == ("script.draft_run", "OK", "root", script)
    assert record["traceId"] == answer.json["traceId"]
    assert '"leave"' in record["summary"] and sha256(STORING) in record["summary"]
    assert "argument-of-the-author" not in json.dumps(record) and "DFF_MODULE" not in json.dumps(record)


def test_a_trial_run_that_cannot_be_recorded_is_not_run(server, admin, script):
    """identity §8: what cannot be recorded is not run."""
    save(admin, script, STORING).expect(200)
    with unrecorded(server.data, "script.draft_run"):
        refused = run(admin, script, "leave", key=f"trace {script}").refused("503.1")
    assert "nothing was run" in refused.json["message"]
    assert stored(server.data, f"trace {script}") is None
    assert run(admin, script, "leave", key=f"trace {script}").expect(200).json["data"]["outcome"] == "value"
    assert stored(server.data, f"trace {script}") is not None
