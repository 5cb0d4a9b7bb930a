"""What is kept: readings in a journal, usage in immutable Parquet files, and the views over both.

Knows the schema, the journal's frames, the ledger (readings -> usage), segments and the warehouse.
Must never know where a reading came from (no /proc, no netlink), nor who is asking (no command line, no page).
"""
