"""`python -m cli` is `catflap`."""

from cli.main import main

main()
