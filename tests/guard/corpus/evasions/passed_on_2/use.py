import pack

connection = pack.opened('x')
