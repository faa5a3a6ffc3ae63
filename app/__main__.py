"""`python -m app` is the same as `usher`."""

from app.cli import main

main()
