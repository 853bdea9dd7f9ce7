"""The same request several times at the same moment, as a double click arrives: each in a thread and a transaction of its own."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection

from careloop.tenancy.context import in_organization

CLICKS = 4


def clicked(organization: Any, change: Callable[[], Any]) -> list[Any]:
    """Return what each of the clicks got back, errors too."""
    together, answers = threading.Barrier(CLICKS), []

    def click() -> None:
        try:
            with in_organization(organization.id):
                together.wait(10)
                answers.append(change())
        except Exception as error:
            answers.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=click) for _click in range(CLICKS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return answers
