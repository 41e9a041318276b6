"""Page images: straightening, preparation, rulings."""
