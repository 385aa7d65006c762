"""`python -m slabheap.cli`, for where the command is not on the path."""

from slabheap.cli import main

main()
