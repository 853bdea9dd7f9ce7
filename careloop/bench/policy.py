"""Policy: how well the rules read 250 and more labelled texts, which they get wrong, and how fast, beside searching one word alone."""

import argparse
import re
import time
from collections.abc import Callable
from datetime import date
from typing import Any

NAME = "policy"

Say = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=40, help="how often all texts are judged for the speed")
    parser.add_argument("--on", type=date.fromisoformat, default=None, help="the day whose rules count (today)")


def run(options: argparse.Namespace, say: Say) -> dict[str, Any]:
    """Judge every labelled text in both forms under the rules of Taiwan."""
    from careloop.policy import measuring

    on = options.on or date.today()  # noqa: DTZ011 - rules change by the day, and no clinic is asked here
    texts = list(measuring.labelled_texts())
    known, first, later = ([one for one in texts if one.held_out == held] for held in ("", "first", "later"))
    say(
        f"{len(texts)} texts in two forms; {len(later)} of them were never used for mending the rules, {len(first)} only their kinds of mistakes"
    )
    results = {
        "": measuring.measure(known, on=on), "held out at first: ": measuring.measure(first, on=on),
        "held out: ": measuring.measure(later, on=on),
    }  # fmt: skip
    seconds = _seconds(
        options.rounds, lambda: [measuring.judge(one, form, on) for one in texts for form in measuring.FORMS]
    )
    word = re.compile("優惠|特價|抽獎")
    bare = _seconds(options.rounds, lambda: [word.search(one.text) for one in texts for _form in measuring.FORMS])
    judged = 2 * len(texts) * options.rounds
    figures: dict[str, Any] = {"texts/s": round(judged / seconds)}
    for title, result in results.items():
        figures |= {
            f"{title}precision": round(result.stops.precision, 3), f"{title}recall": round(result.stops.recall, 3),
            f"{title}exactly the answer wanted, %": round(100 * result.exact / (2 * result.texts), 1),
        }  # fmt: skip
        figures |= {
            f"{title}{rule}: precision, recall, labelled": [
                round(count.precision, 3), round(count.recall, 3), count.hits + count.misses
            ]
            for rule, count in sorted(result.by_rule.items())
        }  # fmt: skip
    for title, result in results.items():
        for number, one in enumerate(result.mistakes, start=1):
            said = f"{one.found} {','.join(one.rules)}".strip()
            figures[f"{title}mistake {number}"] = (
                f"{one.form}: wanted {one.wanted}, said {said}: {one.text} ({one.why})"
            )
    return {
        "bench": NAME,
        "size": {"texts": len(known), "held out at first": len(first), "held out": len(later), "forms": 2, "day": on.isoformat()},
        "figures": figures,
        "limits": {"one search of three words, texts/s": round(judged / bare)},
        "ratios": {"engine / one search": round(bare / seconds, 4)},
    }  # fmt: skip


def _seconds(rounds: int, work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    for _round in range(rounds):
        work()
    return time.perf_counter() - started
