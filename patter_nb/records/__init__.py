"""What is remembered of calls, and the tables made of it.

`log` keeps the calls of one `Patter` object, `store` keeps them on disk, `tables` shows either. Facts are stored once;
milliseconds and dollars are computed when they are read, each in one place: `spans` and `metrics`, `prices` and `cost`.
"""
