"""Six families of ICD-10-CM coders on the same notes and folds: `make compare-coders`."""
