"""The benchmark beyond one process: instructions by callgrind, recorded traces, tables, pictures, documents."""
