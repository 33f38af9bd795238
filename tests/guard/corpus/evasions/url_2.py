import pandas as pd

frame = pd.read_sql('select 1', 'sqlite:///state.db')
