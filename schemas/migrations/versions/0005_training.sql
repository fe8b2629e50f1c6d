-- Training data: which photo taught which model, and what networks that had not seen a photo say of it.
SELECT 1;
