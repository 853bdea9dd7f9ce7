"""How many connections a process may hold: a waiting room full of phones keeps one each."""

# granian stops accepting at 1,024 divided by its workers; phones that keep their connections would lock each other out
CONNECTIONS = 4096
SPARE = 256


def allow(connections: int = CONNECTIONS) -> int:
    """Let this process and its children open so many connections, as far as the system permits; return how many files they may open.

    Many systems allow 1,024 open files unless a program asks for more.
    """
    try:
        import resource
    except ImportError:  # Windows counts differently
        return connections
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + SPARE
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
