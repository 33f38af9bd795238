from store import engine

connection = engine.connect('x')
