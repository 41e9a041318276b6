"""DrawingML, which text documents, workbooks and presentations share: text, charts, diagrams."""
