"""Searches over command words: `bench tune lambda_k`. Any number of workers share one study; each trial is made of ordinary runs."""
