"""What a private fit has spent: the promise, the ledger, and the file that several fits share."""
