from .low import thing as other

again = other
