"""Which formats are read, how their files are opened, what is refused before a decoder sees it, and how many pages there are."""
