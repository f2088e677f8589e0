"""The command `uhop`: arguments in, output out. One file a command."""
