"""Write the reference pages that the program itself knows best, and the sample of settings.

    python scripts/reference.py [--check]

`docs/reference/{command-line,settings,events,permissions,segment-rules,policy-rules,import-fields,http-api}.md` and `careloop.env.sample`.
With `--check` nothing is written; pages that would change are named, and the exit code is 1. A test does the same.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NOTE = "<!-- Written by scripts/reference.py; change the program, then run it again. -->"


def main() -> int:
    options = argparse.ArgumentParser(description="Write the generated reference pages.")
    options.add_argument("--check", action="store_true", help="only say what would change")
    check = options.parse_args().check
    with tempfile.TemporaryDirectory(prefix="careloop-reference-") as home:
        prepare(home)
        stale = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
        for path in stale:
            print(path.relative_to(ROOT))
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(pages()[path])
    return 1 if check and stale else 0


def prepare(home: str) -> None:
    """Set up Django in a throw-away data folder: nothing here needs a database."""
    import django

    os.environ.setdefault("CARELOOP_HOME", home)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "careloop.config.settings")
    django.setup()


def pages() -> dict[Path, str]:
    """Every generated file with its text, in English."""
    from django.utils import translation

    writers: dict[Path, Callable[[], Iterator[str]]] = {
        REFERENCE / "command-line.md": command_line,
        REFERENCE / "settings.md": settings,
        REFERENCE / "events.md": events,
        REFERENCE / "permissions.md": permissions,
        REFERENCE / "segment-rules.md": segment_rules,
        REFERENCE / "policy-rules.md": policy_rules,
        REFERENCE / "import-fields.md": import_fields,
        REFERENCE / "http-api.md": http_api,
        ROOT / "careloop.env.sample": sample,
    }
    with translation.override("en"):
        return {path: "\n".join(write()).rstrip() + "\n" for path, write in writers.items()}


def heading(title: str, summary: str, *lead: str) -> Iterator[str]:
    yield from (f"# {title}", "", NOTE, "", f"> {summary}", "", *lead, "")


def cell(text: object) -> str:
    return str(text).replace("|", "\\|").replace("\n", " ")


def code(text: object) -> str:
    return f"`{cell(text)}`"


def table(titles: list[str], rows: list[list[object]]) -> Iterator[str]:
    yield "| " + " | ".join(titles) + " |"
    yield "|" + "---|" * len(titles)
    for row in rows:
        yield "| " + " | ".join(map(cell, row)) + " |"
    yield ""


# -- the command line ------------------------------------------------------------------------------------------


def command_line() -> Iterator[str]:
    from careloop.cli.main import parser

    yield from heading(
        "Command line",
        "`careloop` 的所有指令。結束代碼：0 完成、1 失敗（原因在 stderr 一行）、2 用法錯誤。加上 `--json` 時，stdout 只有一個 JSON 物件。",
        "Every command takes `--json` (one JSON object on stdout; progress stays on stderr) and, where it works inside one",
        "organization, `--organization SLUG` (default: the only one, or the demo clinic). Both may stand before or behind the",
        "command. Exit codes: 0 done, 1 failed (one line on stderr says why), 2 wrong usage.",
        "`CARELOOP_DEBUG=1` shows the stack trace behind a refusal.",
    )
    for words, grammar, help_text in _commands(parser(), ("careloop",)):
        yield from (f"## `{' '.join(words)}`", "", help_text[:1].upper() + help_text[1:].removesuffix(".") + ".", "")
        rows = [row for row in map(_argument, grammar._actions) if row]
        if rows:
            yield from table(["argument", "meaning"], rows)


def _commands(grammar: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    for action in grammar._actions:
        if not isinstance(action, argparse._SubParsersAction):
            continue
        helps = {one.dest: one.help or "" for one in action._choices_actions}
        for name, below in action.choices.items():
            nested = any(isinstance(one, argparse._SubParsersAction) for one in below._actions)
            if nested:
                yield from _commands(below, (*words, name))
            else:
                yield (*words, name), below, helps.get(name, "")


def _argument(action: argparse.Action) -> list[object] | None:
    if isinstance(action, argparse._HelpAction) or action.dest in ("json", "organization"):
        return None
    name = ", ".join(action.option_strings) or action.dest
    if action.option_strings and action.nargs != 0:
        name += " " + (
            "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.metavar or action.dest.upper()
        )
    meaning = action.help or ""
    if action.default not in (None, False, "", argparse.SUPPRESS) and "default" not in meaning:
        meaning = f"{meaning} (default {action.default})".strip()
    if action.required and action.option_strings:
        meaning = f"{meaning} (required)"
    return [code(name), meaning]


# -- settings --------------------------------------------------------------------------------------------------


def _settings() -> Iterator[tuple[str, str, str]]:
    """Name, default and meaning of every setting, as the class has them."""
    from careloop.config.environment import Environment

    for name, field in Environment.model_fields.items():
        variable = str(field.validation_alias or f"CARELOOP_{name.upper()}")
        default = "" if field.default_factory or field.default is None else str(field.default)
        default = {"True": "true", "False": "false"}.get(default, default)
        yield variable, default, field.description or ""


def settings() -> Iterator[str]:
    yield from heading(
        "Settings",
        "設定寫在環境變數，或資料夾裡的 `careloop.env`（每行 `名稱=值`）。全部都有可用的預設值；改了之後重新啟動。",
        "Read from the environment, or from `careloop.env` in the data folder (`NAME=value`, a line each; the environment wins).",
        "Every one has a default that works. [`careloop.env.sample`](../../careloop.env.sample) lists them all. Restart after a change.",
    )
    rows = [[code(name), code(default) if default else "–", meaning] for name, default, meaning in _settings()]
    yield from table(["setting", "default", "meaning"], rows)
    yield from (
        "## The data folder", "",
        "`CARELOOP_HOME` defaults to `/var/lib/careloop` for root (the embedded database runs as a system user of its own, who must be",
        "able to walk there), to `$XDG_DATA_HOME/careloop` or `~/.local/share/careloop` for other users on Linux, and to",
        "`~/Library/Application Support/careloop` on macOS.", "",
    )  # fmt: skip
    yield from table(
        ["inside", "holds"],
        [
            ["`careloop.env`", "settings, optional"],
            ["`postgres/`", "the embedded database; not there with `DATABASE_URL`"],
            [
                "`keys/`",
                "`master.json` (master keys), `postgres.json` (database passwords), `django-secret`; back up apart from the database",
            ],
            ["`files/`", "uploads, downloads, mails to staff while `CARELOOP_MAIL_URL` is empty"],
            ["`audit/`", "the head of each organization's audit chain, a line a day"],
            ["`run/`", "the process number of a running `careloop up`"],
        ],
    )
    yield from (
        "## Other variables", "",
        "`DJANGO_SETTINGS_MODULE` is set by the command; `CARELOOP_DEBUG=1` in the shell also makes commands show stack traces.", "",
    )  # fmt: skip


def sample() -> Iterator[str]:
    yield "# Settings of CareLoop. Copy to careloop.env in the data folder (CARELOOP_HOME), take away the # where you change something."
    yield "# Explained in docs/reference/settings.md. Written by scripts/reference.py."
    for name, default, meaning in _settings():
        yield ""
        yield f"# {meaning}"
        if name == "CARELOOP_HOME":
            yield "# Set this one in the environment: the file is looked for in this folder."
        yield f"#{name}={default}"


# -- events ----------------------------------------------------------------------------------------------------


def events() -> Iterator[str]:
    from dataclasses import fields

    from careloop.events.registry import KINDS, READERS

    yield from heading(
        "Events",
        "事件紀錄中的所有種類與欄位。事件只會新增，不會修改；時間軸、分眾、照護流程與報表都讀這份紀錄。",
        "What the event log may hold. Every event has `id`, `kind`, `patient_id` (may be empty), `occurred_at` (when it happened),",
        "`recorded_at`, the actor, `source`, `batch_id` (of an import), `historical` (brought in from the past: starts nothing) and a",
        "`payload` with the fields below. Events are added, never changed; an import that is taken back is retracted by its batch.",
    )
    rows = []
    for kind in sorted(KINDS.values(), key=lambda one: one.name):
        payload = ", ".join(code(one.name) for one in fields(kind.fact))
        rows.append([code(kind.name), kind.label, kind.group, payload or "–"])
    yield from table(["kind", "words", "group", "payload"], rows)
    yield from (
        "## Readers", "", "Each has a position of its own in the log, and moves it in the transaction that does its work.", "",
    )  # fmt: skip
    yield from table(
        ["reader", "reads", "events at once"],
        [
            [code(one.name), ", ".join(map(code, sorted(one.kinds))) or "everything", one.batch_size]
            for one in sorted(READERS.values(), key=lambda one: one.name)
        ],
    )


# -- permissions -----------------------------------------------------------------------------------------------


def permissions() -> Iterator[str]:
    from careloop.accounts.permissions import PERMISSIONS, ROLES

    yield from heading(
        "Permissions and roles",
        "每個角色能做什麼。角色在「設定 → 人員」指定，改了立即生效。",
        "A role is a set of named permissions, given in Settings, Staff; a change takes effect with the next click.",
    )
    yield from table(
        ["role", "code", "for"], [[role.label, code(role.name), role.description] for role in ROLES.values()]
    )
    rows = [
        [code(name), label, *("●" if name in role.permissions else "" for role in ROLES.values())]
        for name, label in PERMISSIONS.items()
    ]
    yield from table(["permission", "allows", *(str(role.label) for role in ROLES.values())], rows)


# -- rules -----------------------------------------------------------------------------------------------------


def segment_rules() -> Iterator[str]:
    from careloop.segments import fields, language

    yield from heading(
        "Segment rules",
        "分眾條件的語言：`all`（全部符合）、`any`（任一符合）、`not`（相反），加上欄位、比較方式與參數。用於 API 與條件庫。",
        "A rule is a tree in JSON, read strictly: an unknown or missing part is refused with its place.",
    )
    yield from (
        "```json",
        '{"all": [',
        '  {"field": "last_visit", "op": "more_than_days_ago", "days": 90},',
        '  {"not": {"field": "consent", "op": "refused", "purpose": "MARKETING", "channel": "line"}}',
        "]}",
        "```",
        "",
        f"`all` is AND, `any` is OR, `not` turns one part around. At most {language.MOST_LEAVES} conditions, {language.DEEPEST} deep; an empty `all`",
        "selects everybody. A field marked clinical tells about health: a segment with the purpose MARKETING may use it only for people",
        "who agreed to health marketing in writing. Money is in whole minor units (NT$1 is 1), dates are ISO (`2026-03-16`).", "",
    ) if _knows(fields.REGISTRY, "last_visit", "more_than_days_ago") else ()  # fmt: skip
    for title, members in fields.groups():
        yield from (f"## {title}", "")
        rows = []
        for field in members:
            mark = (
                " (clinical)"
                if field.always_clinical
                else " (clinical for some values)"
                if callable(field.clinical)
                else ""
            )
            for operator in field.operators:
                given = ", ".join(f"`{one.name}` {one.kind}" for one in operator.parameters)
                rows.append(
                    [code(field.name), f"{field.label}{mark}", code(operator.name), operator.label, given or "–"]
                )
        yield from table(["field", "words", "op", "compares", "parameters"], rows)


def _knows(registry: Any, field: str, operator: str) -> bool:
    return field in registry and any(one.name == operator for one in registry[field].operators)


def policy_rules() -> Iterator[str]:
    from careloop.policy.ruleset import PROFILES, all_rules

    yield from heading(
        "Policy rules",
        "訊息、同意與分眾在送出前會對照的規則：適用的法域、期間、法源與處理方式。規則是資料檔，改法時加一筆新日期。",
        "What is checked when something is said to patients, and again when it is sent. A rule holds for legal profiles and dates; when",
        "the law changes, a second table with the same id and other dates is added. Answers: ALLOW, WARN, REQUIRE (something is",
        "missing), SIGN_OFF (a named approver and a reason), BLOCK. “One” is a message to one person, “public” what everybody may read.",
        "These are the program's reading of the law, not legal advice.",
    )
    for profile in PROFILES:
        rows = []
        for rule in sorted(all_rules(), key=lambda one: (one.id, one.valid_from)):
            if profile not in rule.profiles:
                continue
            answers = ", ".join(f"{audience}: {answer.value}" for audience, answer in rule.answers.items())
            until = f" to {rule.valid_to:%Y-%m-%d}" if isinstance(rule.valid_to, date) else ""
            fixed = " (fixed)" if rule.fixed else ""
            rows.append(
                [
                    code(rule.id),
                    rule.message,
                    answers + fixed,
                    f"from {rule.valid_from:%Y-%m-%d}{until}",
                    rule.legal_base,
                ]
            )
        yield from (f"## {profile}", "")
        yield from table(["rule", "says", "answer", "in force", "legal base"], rows)
    yield "Rules marked fixed protect the patient's decision; an organization cannot override them."


# -- imports ---------------------------------------------------------------------------------------------------


def import_fields() -> Iterator[str]:
    from careloop.integrations.imports.rows import KINDS
    from careloop.integrations.tabular.mapping import OPTIONS

    yield from heading(
        "Import mapping",
        "CSV／Excel 對應檔的格式，以及每一種資料可以對應的欄位。對應檔可由畫面產生，也可手寫後用 `--map` 指定。",
        "A mapping says which column goes into which field. It is suggested from the headers, changed on the import's page, saved per source,",
        'and can be given to `careloop import csv --map FILE`. For an archive: `{"tables": {"patients.csv": {…}, …}}`.',
    )
    yield from (
        "```json",
        '{"version": 1, "kind": "patient", "source": "his-a",',
        ' "columns": {"chart_number": "病歷號", "name": ["姓", "名"], "mobile": "#5"},',
        ' "constants": {"country": "TW"},',
        ' "codes": {"sex": {"1": "male", "2": "female"}},',
        ' "options": {"encoding": "cp950", "date_order": "DMY"}}',
        "```",
        "",
        "- `columns`: a column by its header, or by its place (`#5`); a list joins several.",
        "- `constants`: the same value for every row. `codes`: what the source's codes mean.",
        "- `options`: " + ", ".join(map(code, OPTIONS)) + ".",
        "",
        "A record is known again by its `external_id` within the source, else by the columns of its natural key together with its patient.", "",
    )  # fmt: skip
    for kind in KINDS:
        key = ", ".join(code(one.column) for one in kind.natural_key)
        yield from (
            f"## `{kind.name}`",
            "",
            f"Counted as {kind.resource}." + (f" Natural key: {key}." if key else ""),
            "",
        )
        rows = []
        for column in kind.columns:
            if column.name not in ("part", "line"):
                marks = [mark for mark, holds in (("required", column.required), ("sealed", column.sealed)) if holds]
                rows.append([code(column.name), column.type.value, ", ".join(marks)])
        yield from table(["field", "type", ""], rows)


# -- the HTTP API ----------------------------------------------------------------------------------------------


def http_api() -> Iterator[str]:
    from careloop.api.scopes import SCOPES
    from careloop.api.v1 import api

    description = api.get_openapi_schema(path_prefix="/api/v1/")
    yield from heading(
        "HTTP API",
        "給其他程式用的 REST API。權杖在「設定 → API 權杖」建立，只顯示一次；以 `Authorization: Bearer …` 送出。",
        "`/api/v1/`, JSON over HTTP; the machine-readable description is at `/api/v1/openapi.json` (OpenAPI 3.1).",
    )
    yield from (
        "## A token", "",
        "Settings, API tokens, New token (permission `api.tokens`: owner and IT). It belongs to one organization, carries scopes, may end by",
        "itself, and is shown once: CareLoop keeps a hash. Send it as `Authorization: Bearer …`; cookies are not looked at.", "",
    )  # fmt: skip
    yield from table(["scope", "allows"], [[code(name), label] for name, label in SCOPES.items()])
    yield from (
        "## Examples", "", "With `BASE` the address and `TOKEN` the token:", "",
        "```sh", *(line for example in EXAMPLES for line in (f"# {example['words']}", example["curl"], "")),
        "```", "",
        "## Rules of the road", "",
        "- One request is one transaction. A refused write leaves nothing behind.",
        '- Refusals are `{"code", "message", "details"}` with the status that fits: 400, 401, 403, 404, 405, 409, 422. Rely on `code`;',
        "  `message` is in the language of `Accept-Language`. The scope is asked before anything sent is looked at.",
        '- Lists are pages: `{"items": […], "next": "cursor"}`; send `?cursor=` until `next` is null. `?limit=` up to 200, 50 by default.',
        "- A parameter or a state that does not exist is refused with 422, and those that do are named: nothing is left aside in silence.",
        "- `GET /events` gives every event once, oldest first. `last` stands behind all that was looked at: keep it and ask with it later to",
        "  follow the log. With `kind=` a page may hold few events or none and still have a `next`.",
        "- Writing twice does no harm: `Idempotency-Key` (a UUID) on `POST /patients`, `key` on `POST /messages`. The same key with",
        "  something else is refused with 422, `api.key_used`.",
        "- `PATCH` sends the `version` it was made from; another one is refused with 409.",
        "- Identifiers and telephone numbers are never given; every read and write is in the audit log with the token's name.", "",
        "## Addresses", "",
    )  # fmt: skip
    rows = []
    for path, methods in description["paths"].items():
        for method, one in methods.items():
            words = (one.get("description") or one.get("summary") or "").strip()
            rows.append([code(f"{method.upper()} {path}"), code(_scope(api, path, method)), words])
    yield from table(["address", "scope", "does"], rows)


def _scope(api: Any, path: str, method: str) -> str:
    for prefix, router in api._routers:
        for address, view in router.path_operations.items():
            if _same(f"/api/v1{prefix}{address}", path):
                for operation in view.operations:
                    if method.upper() in operation.methods:
                        return operation.auth_callbacks[0].scope
    return ""


def _same(pattern: str, path: str) -> bool:
    import re

    plain = re.compile(r"{(?:\w+:)?(\w+)}")
    return plain.sub(r"{\1}", pattern.replace("//", "/")) == plain.sub(r"{\1}", path)


# a test runs these through the test client, so that they stay true
EXAMPLES: list[dict[str, str]] = [
    {
        "words": "the first ten patients",
        "curl": 'curl -H "Authorization: Bearer $TOKEN" "$BASE/api/v1/patients?limit=10"',
    },
    {
        "words": "find one by chart number",
        "curl": 'curl -H "Authorization: Bearer $TOKEN" "$BASE/api/v1/patients?chart_number=A1024"',
    },
    {
        "words": "register a patient; the same key makes no second one",
        "curl": 'curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
        '-H "Idempotency-Key: 0197a5f0-8d7c-7c3e-9f42-5b1f0c6d2e11" '
        """-d '{"name": "王小美", "birth_date": "1990-03-05", "contacts": [{"system": "phone", "value": "0912345678"}]}' """
        '"$BASE/api/v1/patients"',
    },
    {
        "words": "follow what happens",
        "curl": 'curl -H "Authorization: Bearer $TOKEN" "$BASE/api/v1/events?limit=100"',
    },
    {
        "words": "how many patients were not here for half a year",
        "curl": 'curl -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" '
        """-d '{"rule": {"field": "last_visit", "op": "more_than_days_ago", "days": 180}}' "$BASE/api/v1/segments/count\"""",
    },
    {
        "words": "messages that were held back, with the reason",
        "curl": 'curl -H "Authorization: Bearer $TOKEN" "$BASE/api/v1/messages?state=blocked"',
    },
]


if __name__ == "__main__":
    sys.exit(main())
