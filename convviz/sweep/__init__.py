"""One pass over a data set, shared by all explainers.

`plan` says what is done, `shard` does it for a piece of the data set, `engines` decide where,
`finish` makes the results, `store` keeps them in a run folder and `run` reads them back.
"""
