"""Photos decoded, preprocessed and mapped back to their original pixels."""
