"""nasacct: who uses a NAS and how, exactly and provably.

`collect` reads counters and writes readings; `store` keeps them, turns them into usage and answers SQL;
`reports` asks the questions people have; `cli` is the command line. ARCHITECTURE.md is the map.
"""

__version__ = "0.2.0"
