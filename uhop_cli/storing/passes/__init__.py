"""The passes over all patterns that a store makes: here or on workers, over the whole or shard by shard."""
