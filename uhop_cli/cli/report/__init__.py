"""Pages for the browser (`--report`) and tables for spreadsheets (`--csv`)."""
