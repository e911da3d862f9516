"""The first door, private: noisy statistics of one column each."""
