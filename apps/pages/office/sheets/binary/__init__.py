"""Binary Open XML workbooks (xlsb, MS-XLSB)."""
