"""Write scikit-learn's 1,797 handwritten digits as PNG files, a folder a digit: ``python make_images.py``."""

from pathlib import Path

from PIL import Image
from sklearn.datasets import load_digits

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    """Write ``images/0/0000.png`` and so on: 8 × 8 pixels, grey, the ink white."""
    digits = load_digits()
    for number, (image, digit) in enumerate(zip(digits.images, digits.target, strict=True)):
        folder = IMAGES / str(digit)
        folder.mkdir(parents=True, exist_ok=True)
        # The data set counts ink from 0 to 16; a PNG from 0 to 255.
        Image.fromarray((image * (255 / 16)).round().astype("uint8")).save(folder / f"{number:04}.png")
    print(f"{len(digits.target)} images in {IMAGES}")


if __name__ == "__main__":
    main()
