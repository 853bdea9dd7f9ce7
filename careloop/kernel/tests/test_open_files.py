"""Asking for more open files never takes any away."""

import resource

from careloop.kernel import open_files


def test_a_low_limit_is_raised_and_a_high_one_left_alone():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (600, before[1]))
        assert open_files.allow(400) == 656
        assert open_files.allow(100) == 656
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
