class Tflite:
    name="x"
    def claims(self, piece): return False
    def examine(self, piece): return iter(())
