"""Pictures of Windows as lists of drawing commands (EMF, EMF+, WMF): their text, and a bitmap that is all of one."""
