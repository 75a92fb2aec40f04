"""`python -m penstock.worker.cli` is `penstock`."""

from penstock.worker.cli import main

main(prog_name="penstock")
