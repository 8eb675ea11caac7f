"""The SQL store: connections, transactions, the schema and its migrations."""
