"""kgrec inside of the engines that hold the data.

batch   callable classes over Arrow batches, for Ray Data, Spark and Daft
"""
