"""How far Tesla's paid driver assistance could spread: a regional model of fleet, price, adoption and revenue.

Pure: frames and numbers in, numbers out; no database, no web page. `record` holds what is known, `parameters` what is
believed before looking, `levers` and `scenarios` what is played out, `model` the equations, `fitting` what the record
says of the parameters, `scoring` how well past fits would have done, `sensitivity` what an outcome hangs on.
"""
