import ｓｑｌｉｔｅ３
