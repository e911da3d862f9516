"""``python -m synthgan`` is the ``synthgan`` command."""

from synthgan.cli.main import main

if __name__ == "__main__":
    main()
