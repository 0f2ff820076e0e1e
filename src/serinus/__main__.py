"""Run the command line as `python -m serinus`."""

from serinus.cli.main import run

if __name__ == "__main__":
    run()
