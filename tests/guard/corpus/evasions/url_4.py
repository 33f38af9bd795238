frame.to_sql('t', con='sql' + 'ite:///x')
