from hypothesis import settings

# The same examples at each run; times on a busy machine say nothing.
settings.register_profile("fixed", derandomize=True, database=None, deadline=None)
settings.load_profile("fixed")
