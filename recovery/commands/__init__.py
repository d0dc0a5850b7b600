"""One module for each group of ``imap4-recovery``'s subcommands."""
