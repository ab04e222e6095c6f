"""Readers of data sets by name; each class is imported when it is named."""

DATA = {
    "avsync15": "bench.data.avsync15:AVSync15",
    "folder": "bench.data.folder:Folder",
    "lab": "bench.data.lab:Lab",
    "melqcd": "bench.data.melqcd:MelQCD",
    "vggsound": "bench.data.vggsound:VGGSound",
}
