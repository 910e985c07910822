"""The operator's and the developer's side: the command line tool `wallbox`, one folder a job."""
