"""The ``synthgan`` command: one module per subcommand, nothing heavy imported before a command runs."""
