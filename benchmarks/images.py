"""Images a second: batches of ``keras.images`` against Keras's own data set and a DataLoader of torch.

    python benchmarks/images.py [ROUNDS]

Each reads the same directory of class folders, in order, into batches of 32 float32 images of 224 × 224, over and over
in a process of its own; the processes read by turns, one epoch each, and are idle while another reads. The first epoch
of each is not counted. The photographs are crops of the two that scikit-learn ships, one set of about 560 × 370 (as
those of ImageNet) and one of about 1,700 × 1,100 (as a camera's), as JPEG of quality 90; a third set are PNG files of
64 × 64. ``image_dataset_from_directory`` needs TensorFlow, and is left out without it.

Keras takes four pixels for each one that it makes, and leaves the others out; so does ours with ``antialias: false``,
which gives the same pixels, and is held against the better of all. By default ours smooths, as the DataLoader does here
by Pillow, and decodes large photographs at half their size or less; that is held against the DataLoader.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LIMIT = 1.0
SETS = {
    # name: images, longest side, ending, size that they are read at
    "560 × 370 JPEG": (384, 560, ".jpg", 224),
    "1,700 × 1,100 JPEG": (128, 1700, ".jpg", 224),
    "64 × 64 PNG": (1024, 64, ".png", 64),
}

OURS = """
def reader(folder, size):
    from mercury_core import read_data_bunch
    from mercury_keras.batches import batches
    from mercury_keras.inputs import input_specs
    read = {"reader": "keras.images", "image_size": (size, size), "antialias": ANTIALIAS}
    features = read_data_bunch(folder, **read).data.features
    data = batches(features, input_specs(features), batch_size=32)
    return lambda: (x for x, in data)
"""

KERAS = """
def reader(folder, size):
    import keras
    data = keras.utils.image_dataset_from_directory(
        folder, image_size=(size, size), batch_size=32, shuffle=False, verbose=False
    )
    return lambda: (x for x, y in data)
"""

TORCH = """
import os
import numpy as np
import torch
from pathlib import Path
from PIL import Image

class Images(torch.utils.data.Dataset):
    def __init__(self, folder, size):
        self.paths, self.size = sorted(Path(folder).glob("*/*")), size

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        with Image.open(self.paths[index]) as image:
            resized = image.convert("RGB").resize((self.size, self.size), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized))

def reader(folder, size):
    loader = torch.utils.data.DataLoader(
        Images(folder, size), batch_size=32, num_workers=os.cpu_count(), persistent_workers=True
    )
    return lambda: (x.float() for x in loader)
"""

READ = """
import sys
import time

def main():
    folder, size, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    epoch = reader(folder, size)
    while sys.stdin.readline():
        start, read = time.perf_counter(), 0
        for x in epoch():
            assert tuple(x.shape[1:]) == (size, size, 3) and "float32" in str(x.dtype)
            read += len(x)
        assert read == count, read
        print(time.perf_counter() - start, flush=True)

if __name__ == "__main__":
    main()
"""

SHARP, SMOOTH, OF_KERAS, OF_TORCH = "mercury, antialias: false", "mercury", "image_dataset_from_directory", "DataLoader"
SCRIPTS = {
    SHARP: OURS.replace("ANTIALIAS", "False"),
    SMOOTH: OURS.replace("ANTIALIAS", "True"),
    OF_KERAS: KERAS,
    OF_TORCH: TORCH,
}
# Ours, and the peers that it is held against.
PAIRS = {SHARP: (OF_KERAS, OF_TORCH), SMOOTH: (OF_TORCH,)}


# Where each is installed, ours decodes with it; see mercury_keras.images.fast.
FAST = {".jpg": "simplejpeg", ".png": "cv2"}


def decoder(ending: str) -> str:
    """What ours decodes files of an ending with."""
    return FAST[ending] if importlib.util.find_spec(FAST[ending]) else "Pillow"


def write(folder: Path, count: int, longest: int, ending: str) -> None:
    """Crops of real photographs, two classes."""
    import numpy as np
    from PIL import Image
    from sklearn.datasets import load_sample_images

    chance = np.random.default_rng(0)
    photographs = [Image.fromarray(pixels) for pixels in load_sample_images().images]
    for place in range(count):
        picture = photographs[place % 2]
        width, height = (round(side * chance.uniform(0.8, 0.95)) for side in picture.size)
        left, top = (
            int(chance.integers(0, whole - part)) for whole, part in zip(picture.size, (width, height), strict=True)
        )
        ratio = longest / width
        size = (longest, longest) if longest < 100 else (longest, round(height * ratio))
        target = folder / f"{place % 2}" / f"{place:04}{ending}"
        target.parent.mkdir(parents=True, exist_ok=True)
        cut = picture.resize(size, Image.Resampling.LANCZOS, (left, top, left + width, top + height))
        cut.save(target, **({"quality": 90} if ending == ".jpg" else {}))


class Reader:
    """A process that reads an epoch when it is told to."""

    def __init__(self, script: Path, *arguments: str, backend: str) -> None:
        quiet = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            env={**os.environ, **quiet},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def epoch(self) -> float:
        """Seconds of one."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def end(self) -> None:
        """Stop it."""
        self.process.kill()
        self.process.wait()


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    scripts_by_name = dict(SCRIPTS)
    if importlib.util.find_spec("tensorflow") is None:
        print(f"{OF_KERAS} is left out: TensorFlow is not installed")
        del scripts_by_name[OF_KERAS]
    kept = True
    with tempfile.TemporaryDirectory() as temporary:
        scripts = {}
        for place, (name, script) in enumerate(scripts_by_name.items()):
            scripts[name] = Path(temporary, f"read{place}.py")
            scripts[name].write_text(script + READ)
        for title, (count, longest, ending, size) in SETS.items():
            folder = Path(temporary, title.replace(" ", ""))
            write(folder, count, longest, ending)
            arguments = [str(folder), str(size), str(count)]
            readers = {
                name: Reader(script, *arguments, backend="tensorflow" if name == OF_KERAS else "torch")
                for name, script in scripts.items()
            }
            speeds: dict[str, list[float]] = {name: [] for name in readers}
            for number in range(rounds + 1):
                names = list(readers)
                first = number % len(names)
                for name in names[first:] + names[:first]:
                    speed = count / readers[name].epoch()
                    if number:
                        speeds[name].append(speed)
            for reader in readers.values():
                reader.end()
            medians = {name: statistics.median(taken) for name, taken in speeds.items()}
            print(f"\nImages a second, {title} read at {size} × {size} (median of {rounds}, least … most):")
            print(f"  ours decodes with {decoder(ending)}")
            for name, median in medians.items():
                print(f"  {name:30} {median:8,.0f}  ({min(speeds[name]):,.0f} … {max(speeds[name]):,.0f})")
            for ours, peers in PAIRS.items():
                ratio = medians[ours] / max(medians[peer] for peer in peers if peer in medians)
                said = "kept" if ratio >= LIMIT else "MISSED"
                print(f"  {ours} / {' or '.join(peers)}: {ratio:.2f} (>= {LIMIT}: {said})", flush=True)
                kept = kept and ratio >= LIMIT
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
