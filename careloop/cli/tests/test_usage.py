"""What the command line understands, before anything is started."""

import json
import subprocess
import sys

import pytest

from careloop.cli.main import main, parser


def code_of(*arguments: str) -> int:
    try:
        return main(arguments)
    except SystemExit as end:
        return int(end.code or 0)


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("frobnicate",),
        ("audit",),
        ("loyalty",),
        ("import", "pdf", "x"),
        ("organization", "create"),
        ("organization", "create", "x"),
        ("organization", "create", "x", "--name", "x", "--legal-profile", "MARS"),
        ("up", "--port", "many"),
        ("up", "--port", "70000"),
        ("up", "--workers", "0"),
        ("up", "--demo", "--patients", "0"),
        ("demo", "--patients", "-5"),
        ("doctor", "--fast"),
    ],
)
def test_wrong_usage_is_code_2_with_a_word_on_stderr(arguments, capsys):
    assert code_of(*arguments) == 2

    said = capsys.readouterr()
    assert said.out == ""
    assert "usage: careloop" in said.err


def test_the_version_is_told(capsys):
    assert code_of("--version") == 0
    assert capsys.readouterr().out.startswith("careloop 0.")


@pytest.mark.parametrize("arguments", [("--json", "migrate"), ("migrate", "--json")])
def test_json_may_stand_before_or_behind_the_command(arguments):
    assert parser().parse_args(arguments).json is True


@pytest.mark.parametrize("arguments", [("--organization", "a", "count"), ("count", "--organization", "a")])
def test_the_organization_may_stand_before_or_behind_the_command(arguments):
    assert parser().parse_args(arguments).organization == "a"


def test_every_command_says_what_it_does_and_takes_json(capsys):
    for words in commands_of(parser()):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        assert "--json" in capsys.readouterr().out, words


def commands_of(grammar, words=()):
    """Every complete command as its words."""
    import argparse

    nested = [action for action in grammar._actions if isinstance(action, argparse._SubParsersAction)]
    if not nested:
        yield words
    for action in nested:
        for name, below in action.choices.items():
            yield from commands_of(below, (*words, name))


def test_a_wrong_setting_is_one_line_that_names_it():
    done = subprocess.run(
        [sys.executable, "-m", "careloop", "migrate"], env={"CARELOOP_PORT": "many", "PATH": "", "CARELOOP_HOME": "/nowhere"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("careloop: a setting is wrong: CARELOOP_PORT:")
    assert done.stderr.count("\n") == 1


def test_a_server_that_does_not_answer_is_one_line_that_points_at_the_doctor(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "careloop", "count", "--json"],
        env={"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/none", "PATH": "", "CARELOOP_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("careloop: the database does not answer")
    assert "careloop doctor" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_doctor_names_a_data_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")

    done = subprocess.run(
        [sys.executable, "-m", "careloop", "doctor", "--json"],
        env={"CARELOOP_HOME": str(tmp_path / "file" / "home"), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip

    answer = json.loads(done.stdout)
    assert (done.returncode, answer["healthy"]) == (1, False)
    assert [one["level"] for one in answer["findings"]] == ["ok", "error"]
    assert "CARELOOP_HOME" in answer["findings"][1]["cure"]


def test_the_doctor_names_a_setting_that_is_wrong(tmp_path):
    (tmp_path / "careloop.env").write_text("CARELOOP_WORKERS=many\n")
    done = subprocess.run(
        [sys.executable, "-m", "careloop", "doctor", "--json"],
        env={"PATH": "/usr/bin:/bin", "CARELOOP_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    last = json.loads(done.stdout)["findings"][-1]

    assert done.returncode == 1
    assert "CARELOOP_WORKERS" in last["what"]
    assert "careloop.env" in last["cure"]


def test_the_doctor_tells_how_to_mend_a_server_that_does_not_answer(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "careloop", "doctor"],
        env={"DATABASE_URL": "postgresql://a:b@127.0.0.1:1/none", "PATH": "", "CARELOOP_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "FAIL  postgres: OperationalError" in done.stdout
    assert "→ is the server of DATABASE_URL running" in done.stdout
    assert "Something needs mending." in done.stdout
    assert "Traceback" not in done.stderr
